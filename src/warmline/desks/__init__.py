"""The places where people answer, one package per vendor, all behind the same port."""
