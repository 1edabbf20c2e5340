-- Our numbers at the carrier, and the extension that each of them rings.
return {
  ["+493023125211"] = "211",
  ["+493023125212"] = "212",
  ["+4930231250"] = "100", -- the switchboard: calls of extensions without a number show this one
}
