# Where Zappa puts the package on its way to Lambda.
resource "aws_s3_bucket" "package" {
  bucket = coalesce(var.package_bucket_name, "${local.name}-package-${local.account_id}")
}

resource "aws_s3_bucket_public_access_block" "package" {
  bucket                  = aws_s3_bucket.package.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "package" {
  bucket = aws_s3_bucket.package.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

# Zappa deletes the package once Lambda has it; what it leaves behind when it is cut off goes after a month. Releases are
# kept to roll back to.
resource "aws_s3_bucket_lifecycle_configuration" "package" {
  bucket = aws_s3_bucket.package.id

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {
      prefix = "${local.name}-"
    }

    expiration {
      days = 30
    }
  }

  rule {
    id     = "releases"
    status = "Enabled"

    filter {
      prefix = "releases/"
    }

    expiration {
      days = 400
    }
  }

  rule {
    id     = "uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_policy" "package" {
  bucket = aws_s3_bucket.package.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RefuseWithoutTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.package.arn, "${aws_s3_bucket.package.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.package]
}
