mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment       = "production"
  payment_gateway   = "payments.gateways.logging_gateway.LoggingGateway"
  github_repository = "example/billing"
}

run "a_workflow_of_github" {
  assert {
    condition = { for what, role in aws_iam_role.ci : what => jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] } == {
      plan = "repo:example/billing:pull_request", deploy = "repo:example/billing:environment:production"
    }
    error_message = "A pull request may plan, and what is approved may deploy."
  }

  assert {
    condition     = alltrue([for action in flatten([for statement in jsondecode(aws_iam_role_policy.ci["plan"].policy).Statement : statement.Action]) : can(regex("^(s3:(GetObject|ListBucket)|ec2:Describe.*|apigateway:GET)$", action))])
    error_message = "A plan on a pull request reads, and reads no secret."
  }

  assert {
    condition     = alltrue([for action in flatten([for statement in jsondecode(aws_iam_role_policy.ci["deploy"].policy).Statement : statement.Action if statement.Effect == "Allow"]) : !can(regex("^iam:(Create|Put|Attach|Update|\\*)", action))])
    error_message = "A workflow gives no role more than it has."
  }

  assert {
    condition     = contains(flatten([for statement in jsondecode(aws_iam_role_policy.ci["deploy"].policy).Statement : statement.Action if statement.Effect == "Deny"]), "rds:DeleteDBInstance")
    error_message = "A workflow never deletes the database."
  }
}

run "none_by_default" {
  variables {
    github_repository = null
  }

  assert {
    condition     = length(aws_iam_role.ci) == 0 && length(aws_iam_openid_connect_provider.github) == 0
    error_message = "Without a repository there is nothing for one."
  }
}
