# The API's own host name: its certificate and its records where the zone is Route 53's, and otherwise a certificate that
# somebody brought, and a record that somebody makes.

locals {
  domain_zones = var.domain_name == null ? toset([]) : toset(var.hosted_zone_id[*])
  # Zappa makes the REST API, so there is none to lead to before the functions are deployed.
  mapped_domains = var.domain_name == null || !var.functions_deployed ? toset([]) : toset([var.domain_name])
  own_hosts      = distinct(concat(var.domain_name[*], var.allowed_hosts))
  # Before there is a domain: any API's of the region.
  allowed_hosts = length(local.own_hosts) > 0 ? local.own_hosts : [".execute-api.${var.aws_region}.amazonaws.com"]
}

resource "aws_acm_certificate" "api" {
  for_each = local.domain_zones

  domain_name       = var.domain_name
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "certificate" {
  for_each = local.domain_zones

  zone_id         = each.key
  name            = one(aws_acm_certificate.api[each.key].domain_validation_options[*].resource_record_name)
  type            = one(aws_acm_certificate.api[each.key].domain_validation_options[*].resource_record_type)
  records         = aws_acm_certificate.api[each.key].domain_validation_options[*].resource_record_value
  ttl             = 300
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "api" {
  for_each = local.domain_zones

  certificate_arn         = aws_acm_certificate.api[each.key].arn
  validation_record_fqdns = [aws_route53_record.certificate[each.key].fqdn]
}

resource "aws_api_gateway_domain_name" "api" {
  for_each = toset(var.domain_name[*])

  domain_name              = each.key
  regional_certificate_arn = var.hosted_zone_id == null ? var.certificate_arn : aws_acm_certificate_validation.api[var.hosted_zone_id].certificate_arn
  security_policy          = "TLS_1_2"

  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_route53_record" "api" {
  for_each = local.domain_zones

  zone_id = each.key
  name    = var.domain_name
  type    = "A"

  alias {
    name                   = aws_api_gateway_domain_name.api[var.domain_name].regional_domain_name
    zone_id                = aws_api_gateway_domain_name.api[var.domain_name].regional_zone_id
    evaluate_target_health = false
  }
}

data "aws_api_gateway_rest_api" "zappas" {
  for_each = local.mapped_domains

  name = local.functions.api.name
}

resource "aws_api_gateway_base_path_mapping" "api" {
  for_each = local.mapped_domains

  api_id      = data.aws_api_gateway_rest_api.zappas[each.key].id
  stage_name  = local.functions.api.stage
  domain_name = aws_api_gateway_domain_name.api[each.key].domain_name
}
