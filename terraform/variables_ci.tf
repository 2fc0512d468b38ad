variable "github_repository" {
  description = "A repository of GitHub whose workflow may plan and deploy this environment, as owner/name. Null: none."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null || can(regex("^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "A repository is written as owner/name."
  }
}

variable "github_oidc_provider_arn" {
  description = "GitHub's identity provider in this account, where one is there already: an account has one. Null: it is made."
  type        = string
  default     = null

  validation {
    condition     = var.github_oidc_provider_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.github_oidc_provider_arn))
    error_message = "The ARN of the provider token.actions.githubusercontent.com."
  }
}
