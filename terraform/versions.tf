# Write-only arguments, which keep passwords out of the state, came with Terraform 1.11.
# No backend is named here: copy backend.tf.example to backend.tf, so that the state isn't one person's file.
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
