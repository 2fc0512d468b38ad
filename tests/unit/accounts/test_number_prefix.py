import re

from accounts.number_prefix import new_number_prefix


class TestNewNumberPrefix:
    def test_is_ten_characters_that_are_not_mistaken_for_one_another(self) -> None:
        prefixes = {new_number_prefix() for _ in range(2000)}

        assert len(prefixes) == 2000
        assert all(re.fullmatch("[0-9A-HJKMNP-TV-Z]{10}", prefix) for prefix in prefixes)
        assert len(set("".join(prefixes))) == 32
