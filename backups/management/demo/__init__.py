"""What the demo account is made of: people who do not exist, and a month of work with their lists."""

from __future__ import annotations
