"""Salesforce: its retired Live Agent chat, and what both of its desks share."""
