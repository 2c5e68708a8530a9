"""The contract of each public function, as CrossHair reads it."""
