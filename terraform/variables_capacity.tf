# --- Concurrency: each running function holds a database connection, and the database has so many ---

variable "api_concurrency" {
  description = "Requests that the API and the admin serve at once; reserved for that function. All reserved together must leave 100 of the account's limit free: a new account's limit of 10 has to be raised first."
  type        = number
  default     = 20

  validation {
    condition     = var.api_concurrency >= 1 && floor(var.api_concurrency) == var.api_concurrency
    error_message = "A whole number from 1."
  }
}

variable "worker_concurrency" {
  description = "Workers at once; reserved for that function. Two are kept for the schedules, and the queue gets the rest."
  type        = number
  default     = 10

  validation {
    condition     = var.worker_concurrency >= 4 && floor(var.worker_concurrency) == var.worker_concurrency
    error_message = "A whole number from 4: two for the schedules, and Lambda gives a queue no fewer than two."
  }
}

variable "reserve_concurrency" {
  description = "Whether each function's concurrency is reserved for it. False for a new account, which may run 10 functions at once and can reserve none: a burst of requests then holds up the worker and the sweep, which try again, and api_concurrency and worker_concurrency bound nothing."
  type        = bool
  default     = true
}

variable "conn_max_age_seconds" {
  description = "Seconds that a function keeps a database connection between invocations."
  type        = number
  default     = 300

  validation {
    condition     = var.conn_max_age_seconds >= 0 && var.conn_max_age_seconds <= 540 && floor(var.conn_max_age_seconds) == var.conn_max_age_seconds
    error_message = "A whole number from 0 to 540: the database ends connections that are idle for 600."
  }
}

# --- The queue ---

variable "queue_batch_size" {
  description = "Messages that one invocation of the worker gets, of at most 500 periods each. It works them off one after the other, so all must fit into its time under a slow gateway."
  type        = number
  default     = 2

  validation {
    condition     = var.queue_batch_size >= 1 && var.queue_batch_size <= 10
    error_message = "1 to 10."
  }

  validation {
    condition     = var.queue_batch_size * local.message_seconds < local.worker_timeout_seconds
    error_message = "${var.queue_batch_size} messages of up to ${local.message_seconds} seconds each don't fit into the worker's ${local.worker_timeout_seconds}: fewer messages, or a shorter PAYMENT_LEASE_SECONDS."
  }
}

variable "max_receive_count" {
  description = "Deliveries of a message before it is a dead letter. Throttling uses them up too, so not fewer than 5."
  type        = number
  default     = 5

  validation {
    condition     = var.max_receive_count >= 5 && var.max_receive_count <= 1000
    error_message = "5 to 1000."
  }
}
