# A function in a VPC without NAT reaches AWS's services only here. Logs need none: Lambda itself delivers them. Nor does
# S3: no function uses it.

locals {
  # Who may use an endpoint, and so reach its security group.
  all_endpoint_users = {
    sqs            = ["api", "worker"]
    secretsmanager = ["api", "worker", "migrate"]
  }
  endpoint_users = length(local.endpoint_zones) == 0 ? {} : local.all_endpoint_users
  endpoint_statements = {
    sqs = [
      {
        Sid       = "Send"
        Effect    = "Allow"
        Principal = "*"
        Action    = local.send_actions
        Resource  = aws_sqs_queue.rebilling.arn
        Condition = { ArnEquals = { "aws:PrincipalArn" = [for duty in local.all_endpoint_users.sqs : aws_iam_role.function[duty].arn] } }
      },
      {
        Sid       = "Redrive"
        Effect    = "Allow"
        Principal = "*"
        Action    = local.consume_actions
        Resource  = aws_sqs_queue.dead_letters.arn
        Condition = { ArnEquals = { "aws:PrincipalArn" = [aws_iam_role.function["worker"].arn] } }
      },
    ]
    secretsmanager = concat(
      [
        {
          Sid       = "Read"
          Effect    = "Allow"
          Principal = "*"
          Action    = ["secretsmanager:GetSecretValue"]
          Resource  = concat(local.application_secret_arns, [local.master_secret_arn])
          Condition = { ArnEquals = { "aws:PrincipalArn" = [for duty in local.all_endpoint_users.secretsmanager : aws_iam_role.function[duty].arn] } }
        },
        {
          Sid       = "Rotate"
          Effect    = "Allow"
          Principal = "*"
          Action    = local.rotate_actions
          Resource  = aws_secretsmanager_secret.application.arn
          Condition = { ArnEquals = { "aws:PrincipalArn" = [aws_iam_role.function["migrate"].arn] } }
        },
      ],
      [
        for arn in local.stripe_secret_arns : {
          Sid       = "ReadStripe"
          Effect    = "Allow"
          Principal = "*"
          Action    = ["secretsmanager:GetSecretValue"]
          Resource  = arn
          Condition = { ArnEquals = { "aws:PrincipalArn" = [aws_iam_role.function["worker"].arn] } }
        }
      ],
    )
  }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.endpoint_users

  vpc_id              = aws_vpc.main.id
  service_name        = "com.amazonaws.${var.aws_region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = [for letter in local.endpoint_zones : aws_subnet.function[letter].id]
  security_group_ids  = [aws_security_group.endpoint[each.key].id]
  private_dns_enabled = true
  policy              = jsonencode({ Version = "2012-10-17", Statement = local.endpoint_statements[each.key] })

  tags = { Name = "${local.name}-${each.key}" }
}
