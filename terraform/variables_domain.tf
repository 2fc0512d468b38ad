variable "domain_name" {
  description = "Host name of the API and the admin, such as billing.example.com. With hosted_zone_id its certificate and its records are made; otherwise certificate_arn names a certificate, and the output api_domain what to point the name at. Null: they are reached at the API's own address, and the admin is without its styles there."
  type        = string
  default     = null

  validation {
    condition     = var.domain_name == null || can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.domain_name))
    error_message = "A host name in lower case, without scheme, port or path."
  }

  validation {
    condition     = var.domain_name == null || var.hosted_zone_id != null || var.certificate_arn != null
    error_message = "A domain needs hosted_zone_id, for its certificate and records to be made; or certificate_arn, and a record made by hand."
  }
}

variable "hosted_zone_id" {
  description = "Route 53's public hosted zone that domain_name is in, for its certificate and its records to be made."
  type        = string
  default     = null

  validation {
    condition     = var.hosted_zone_id == null || can(regex("^Z[A-Z0-9]+$", var.hosted_zone_id))
    error_message = "A zone's id starts with Z."
  }
}

variable "certificate_arn" {
  description = "A certificate of AWS Certificate Manager for domain_name, in aws_region, where its zone isn't Route 53's."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+$", var.certificate_arn))
    error_message = "The ARN of a certificate of AWS Certificate Manager, of a server's name."
  }
}
