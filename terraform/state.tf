# The environment of this state, kept from the first apply on, whatever the variables say later. Another environment's variables on
# this state would take all of this one away, to make the other in its place: such a plan fails.
resource "terraform_data" "environment" {
  input = { name = local.name, region = var.aws_region }

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.input == { name = local.name, region = var.aws_region }
      error_message = "This is the state of ${self.input.name} in ${self.input.region}, and these are the variables of ${local.name} in ${var.aws_region}. Name the file of the state's environment by -var-file; or go to the other state: terraform -chdir=terraform init -reconfigure -backend-config=key=billing/${var.environment}.tfstate"
    }
  }
}
