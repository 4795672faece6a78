#!/bin/bash
# As the real image's: root gives the files to the server's user, and goes on as that user.
set -e
find /var/lib/rabbitmq ! -user rabbitmq -exec chown rabbitmq {} +
exec gosu rabbitmq "$@"
