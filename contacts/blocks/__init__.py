"""Blocks of addresses: the record, the list, removal and undo, import and export. Only this room writes blocks."""
