"""Django's PostgreSQL backend with credentials from Secrets Manager: the secret is `SECRET_ARN` of the settings."""

from typing import Any

from django.db.backends.postgresql import base
from psycopg2 import OperationalError
from psycopg2.extensions import connection

from billing_site.database.credentials import Credentials, keep, kept_credentials, read_again
from billing_site.secrets.store import UnableToReadSecret


class DatabaseWrapper(base.DatabaseWrapper):
    """Connects with the credentials that this process keeps; refused, it reads the secret again, once."""

    def get_connection_params(self) -> dict[str, Any]:
        try:
            credentials = kept_credentials(arn=self.settings_dict["SECRET_ARN"])
        except UnableToReadSecret as error:
            # To the caller it is a failed connection, like any other.
            raise OperationalError(str(error)) from error
        return super().get_connection_params() | credentials.parameters()

    def get_new_connection(self, conn_params: dict[str, Any]) -> connection:
        try:
            made: connection = super().get_new_connection(conn_params)
            return made
        except OperationalError as error:
            if not is_refused_password(error):
                raise
        return self._renewed(conn_params)

    def _renewed(self, conn_params: dict[str, Any]) -> connection:
        arn = self.settings_dict["SECRET_ARN"]
        refused = Credentials(username=conn_params["user"], password=conn_params["password"])
        try:
            for credentials in read_again(arn=arn, refused=refused):
                try:
                    made: connection = super().get_new_connection(conn_params | credentials.parameters())
                except OperationalError as error:
                    if not is_refused_password(error):
                        raise
                else:
                    keep(arn=arn, credentials=credentials)
                    return made
        except UnableToReadSecret as error:
            raise OperationalError(str(error)) from error
        raise OperationalError(
            f"the database refuses every password of the secret {arn}: run `zappa manage <stage>_migrate "
            "prepare_database`, which gives the role the secret's"
        )


def is_refused_password(error: OperationalError) -> bool:
    """Whether the server knows the role otherwise than we do. libpq gives a failed connection no code but its text."""
    return "authentication failed" in str(error)
