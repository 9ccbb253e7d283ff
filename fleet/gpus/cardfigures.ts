/** What is measured of a card, by the names in the protocol. */
export const CARD_FIGURES = [
  "busy",
  "used",
  "watts",
  "celsius",
  "junctionCelsius",
  "memoryCelsius",
  "mhz",
  "memoryMhz",
  "fan",
] as const;
export type CardFigure = (typeof CARD_FIGURES)[number];

/** Why the clocks of a card are held down, what harms most first. */
export const THROTTLE_REASONS = ["heat", "hardware", "current", "power"] as const;
export type ThrottleReason = (typeof THROTTLE_REASONS)[number];
