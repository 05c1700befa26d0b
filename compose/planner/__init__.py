"""Pure: desired and observed state -> plan -> text. No I/O, no clock."""
