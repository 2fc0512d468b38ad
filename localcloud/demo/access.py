"""The demonstration's admin login and API key, made once for a data folder and kept there."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from django.contrib.auth import get_user_model
from django.utils.crypto import get_random_string

from accounts import clock
from api.keys import create_api_key
from api.models import Scope
from localcloud.private_files import replace_text

USERNAME = "admin"


@dataclass(frozen=True, kw_only=True)
class Access:
    username: str
    password: str
    api_key: str


def demo_access(*, data: Path) -> Access:
    """The login and key of this data folder. The product stores only hashes, so a private file keeps them readable."""
    path = data / "demo-access.json"
    if path.exists():
        return Access(**json.loads(path.read_text()))
    password = get_random_string(16)
    user, _ = get_user_model().objects.get_or_create(
        username=USERNAME, defaults={"is_staff": True, "is_superuser": True}
    )
    user.set_password(password)
    user.save(update_fields=["password"])
    _, secret = create_api_key(name="demonstration", scopes=Scope.values, expires_at=None, now=clock.now())
    access = Access(username=USERNAME, password=password, api_key=secret)
    replace_text(path=path, text=json.dumps(asdict(access)))
    return access
