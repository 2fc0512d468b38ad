locals {
  # Counted as they happen, and how many there are.
  billing_metrics = merge(
    { for metric in ["due", "charged", "succeeded", "declined", "unknown", "parked"] : metric => "Sum" },
    { for metric in ["needs_review", "unexplained"] : metric => "Maximum" },
  )

  queue_widgets = [
    for row in [
      { title = "Rebilling queue", name = aws_sqs_queue.rebilling.name },
      { title = "Dead letters", name = aws_sqs_queue.dead_letters.name },
      ] : {
      type = "metric", width = 12, height = 6
      properties = {
        title  = row.title
        region = var.aws_region
        view   = "timeSeries"
        period = 60
        metrics = [
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", row.name, { stat = "Maximum", label = "messages" }],
          ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", row.name, { stat = "Maximum", label = "oldest, seconds", yAxis = "right" }],
        ]
        yAxis = { left = { min = 0 }, right = { min = 0 } }
      }
    }
  ]

  # The product's lines are JSON with a level. What Lambda itself says of an end by force isn't, and is matched by its words.
  error_query = join(" | ", concat(
    [for group in aws_cloudwatch_log_group.function : "SOURCE '${group.name}'"],
    [
      "fields @timestamp, @log, level, logger, message, @message",
      "filter level in [\"ERROR\", \"CRITICAL\"] or @message like /Task timed out|Runtime exited|Runtime\\.[A-Z]|\\[ERROR\\]|\\[CRITICAL\\]/",
      "sort @timestamp desc",
      "limit 100",
    ],
  ))

  widgets = concat(
    local.queue_widgets,
    [
      {
        type = "metric", width = 24, height = 6
        properties = {
          title   = "Billing"
          region  = var.aws_region
          view    = "timeSeries"
          period  = 3600
          metrics = [for metric, stat in local.billing_metrics : [local.product_namespace, metric, { stat = stat }]]
          yAxis   = { left = { min = 0 } }
        }
      },
      {
        type = "log", width = 24, height = 9
        properties = {
          title  = "ERROR and above, every function"
          region = var.aws_region
          view   = "table"
          query  = local.error_query
        }
      },
    ],
    [
      for row in [
        { title = "Invocations", metric = "Invocations", stat = "Sum" },
        { title = "Errors", metric = "Errors", stat = "Sum" },
        { title = "Duration, slowest in milliseconds", metric = "Duration", stat = "Maximum" },
        ] : {
        type = "metric", width = 8, height = 6
        properties = {
          title   = row.title
          region  = var.aws_region
          view    = "timeSeries"
          period  = 300
          stat    = row.stat
          metrics = [for function in local.functions : ["AWS/Lambda", row.metric, "FunctionName", function.name]]
        }
      }
    ],
    [
      for row in [
        { title = "Database: CPU in percent", metric = "CPUUtilization", stat = "Average" },
        { title = "Database: connections, of ${local.max_connections}", metric = "DatabaseConnections", stat = "Maximum" },
        { title = "Database: free storage in bytes", metric = "FreeStorageSpace", stat = "Minimum" },
        ] : {
        type = "metric", width = 8, height = 6
        properties = {
          title   = row.title
          region  = var.aws_region
          view    = "timeSeries"
          period  = 300
          stat    = row.stat
          metrics = [["AWS/RDS", row.metric, "DBInstanceIdentifier", local.database_identifier]]
        }
      }
    ],
  )
}

resource "aws_cloudwatch_dashboard" "main" {
  dashboard_name = local.name
  dashboard_body = jsonencode({ widgets = local.widgets })
}
