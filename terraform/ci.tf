# A workflow of GitHub, without a key of AWS: GitHub says which repository and which job it is, and gets a role for an hour. On a pull
# request it may read the state and no more; what is approved, in GitHub's environment of this one's name, may deploy.

locals {
  ci_repositories = toset(var.github_repository[*])
  github          = "token.actions.githubusercontent.com"
  # A plan on a pull request runs code that nobody has approved: from the state alone, without a look at AWS.
  ci_subjects = var.github_repository == null ? {} : {
    plan   = "repo:${var.github_repository}:pull_request"
    deploy = "repo:${var.github_repository}:environment:${var.environment}"
  }
  github_provider_arn = var.github_oidc_provider_arn == null ? one([for made in aws_iam_openid_connect_provider.github : made.arn]) : var.github_oidc_provider_arn

  state_bucket_arn = "arn:${local.partition}:s3:::${var.project}-terraform-state-${local.account_id}"
  state_key_arn    = "${local.state_bucket_arn}/${var.project}/${var.environment}"
  own_arns         = { for service in ["lambda", "sqs", "sns", "rds", "logs", "cloudwatch", "scheduler", "cloudformation", "secretsmanager"] : service => "arn:${local.partition}:${service}:${var.aws_region}:${local.account_id}" }

  plan_statements = [
    { Sid = "ReadTheState", Effect = "Allow", Action = ["s3:GetObject"], Resource = "${local.state_key_arn}.tfstate" },
    { Sid = "FindTheState", Effect = "Allow", Action = ["s3:ListBucket"], Resource = local.state_bucket_arn },
    { Sid = "ReadZonesAndApis", Effect = "Allow", Action = ["ec2:DescribeAvailabilityZones", "apigateway:GET"], Resource = "*" },
  ]
  deploy_statements = [
    { Sid = "KeepTheState", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], Resource = "${local.state_key_arn}.*" },
    { Sid = "FindTheState", Effect = "Allow", Action = ["s3:ListBucket"], Resource = local.state_bucket_arn },
    { Sid = "KeepPackages", Effect = "Allow", Action = ["s3:*"], Resource = [aws_s3_bucket.package.arn, "${aws_s3_bucket.package.arn}/*"] },
    {
      Sid    = "ChangeWhatIsNamedAfterTheEnvironment"
      Effect = "Allow"
      Action = ["lambda:*", "sqs:*", "sns:*", "logs:*", "cloudwatch:*", "scheduler:*", "cloudformation:*", "secretsmanager:*"]
      Resource = [
        "${local.own_arns.lambda}:function:${local.name}", "${local.own_arns.lambda}:function:${local.name}-*", "${local.own_arns.lambda}:function:${local.name}:*",
        "${local.own_arns.sqs}:${local.name}-*", "${local.own_arns.sns}:${local.name}*", "${local.own_arns.logs}:log-group:/aws/lambda/${local.name}*",
        "${local.own_arns.cloudwatch}:alarm:${local.name}-*", "arn:${local.partition}:cloudwatch::${local.account_id}:dashboard/${local.name}",
        "${local.own_arns.scheduler}:schedule-group/${local.name}", "${local.own_arns.scheduler}:schedule/${local.name}/*",
        "${local.own_arns.cloudformation}:stack/${local.name}/*", "${local.own_arns.secretsmanager}:secret:${local.name}/*",
      ]
    },
    # These know no name of a resource, or their resources are named by AWS.
    {
      Sid       = "ChangeWhatHasNoName"
      Effect    = "Allow"
      Action    = ["ec2:*", "lambda:*EventSourceMapping*", "lambda:GetAccountSettings", "logs:DescribeLogGroups", "cloudwatch:DescribeAlarms", "apigateway:*", "acm:*", "tag:GetResources"]
      Resource  = "*"
      Condition = { StringEquals = { "aws:RequestedRegion" = var.aws_region } }
    },
    {
      Sid    = "ChangeTheDatabase"
      Effect = "Allow"
      Action = ["rds:*"]
      Resource = [
        "${local.own_arns.rds}:db:${local.database_identifier}", "${local.own_arns.rds}:pg:${local.name}-*", "${local.own_arns.rds}:subgrp:${aws_db_subnet_group.main.name}",
        "${local.own_arns.rds}:snapshot:${local.database_identifier}-*",
      ]
    },
    # A release never takes the data away.
    { Sid = "ButKeepTheData", Effect = "Deny", Action = ["rds:DeleteDBInstance", "rds:DeleteDBSnapshot", "secretsmanager:DeleteSecret", "sqs:DeleteQueue"], Resource = "*" },
    { Sid = "ChangeRecords", Effect = "Allow", Action = ["route53:GetHostedZone", "route53:ListResourceRecordSets", "route53:ChangeResourceRecordSets", "route53:ListTagsForResource"], Resource = "arn:${local.partition}:route53:::hostedzone/${coalesce(var.hosted_zone_id, "none")}" },
    { Sid = "SeeChangesOfRecords", Effect = "Allow", Action = ["route53:GetChange"], Resource = "arn:${local.partition}:route53:::change/*" },
    { Sid = "SeeRoles", Effect = "Allow", Action = ["iam:GetRole", "iam:GetRolePolicy", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies", "iam:GetOpenIDConnectProvider"], Resource = "*" },
    {
      Sid       = "PassTheFunctionsRoles"
      Effect    = "Allow"
      Action    = ["iam:PassRole"]
      Resource  = concat([for role in aws_iam_role.function : role.arn], [aws_iam_role.scheduler.arn])
      Condition = { StringEquals = { "iam:PassedToService" = ["lambda.amazonaws.com", "scheduler.amazonaws.com", "apigateway.amazonaws.com"] } }
    },
  ]
  ci_statements = { plan = local.plan_statements, deploy = local.deploy_statements }
}

resource "aws_iam_openid_connect_provider" "github" {
  for_each = var.github_oidc_provider_arn == null ? local.ci_repositories : toset([])

  url            = "https://${local.github}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "ci" {
  for_each = local.ci_subjects

  name        = "${local.name}-ci-${each.key}"
  description = "The workflow of ${var.github_repository}: ${each.key}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = local.github_provider_arn }
      Condition = { StringEquals = { "${local.github}:aud" = "sts.amazonaws.com", "${local.github}:sub" = each.value } }
    }]
  })
}

# It changes no role and no policy of a role: such a release is applied by a person, and the plan says so.
resource "aws_iam_role_policy" "ci" {
  for_each = local.ci_subjects

  name   = each.key
  role   = aws_iam_role.ci[each.key].name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.ci_statements[each.key] })
}

output "ci_role_arns" {
  description = "ARNs of the roles of GitHub's workflow, for its variables; none without github_repository."
  value       = { for what, role in aws_iam_role.ci : what => role.arn }
}
