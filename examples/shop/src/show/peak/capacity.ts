/** Most payments that the gateway takes at a time. */
export const paymentsAtATime = 2
/** How long it takes for each. */
export const paymentMs = 40
/** What the gateway can do. */
export const capacityPerS = (paymentsAtATime * 1_000) / paymentMs
