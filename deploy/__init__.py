"""What an operator's machine does to ship the product: fills Zappa's settings, makes the package. Never in the zip."""
