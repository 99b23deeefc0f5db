/** What a channel may be called. */
export const channelName = /^[A-Za-z0-9._-]{1,240}$/

/** What a group may be called. */
export const groupName = /^[A-Za-z0-9._-]{1,64}$/

/** A pattern of channels: dotted words, `*` for one of them, `**` at the end for one or more. */
export const patternSyntax = /^(?:(?:\*|[A-Za-z0-9_-]+)\.)*(?:\*\*?|[A-Za-z0-9_-]+)$/
