/*
 * What a request and its reply say to each other, as CloudEvents extension attributes.
 *
 * The request carries `replyto` and expires (`expirytime`) when whoever asks has given up. The reply stands in the channel
 * that `replyto` names, addressed to the group that it names; its `type` is that of the command with `.reply` behind it, its `causationid` the id of the request
 * and its `correlationid` that of the request. Its id is derived from the request's, so that a repeated answer is
 * recognised. A reply with `replycode` tells of a failure and has no body; any other carries what the handler returned.
 */

/** Names the channel and the group in which a request awaits its reply: `channel/group`. */
export const replyToHeader = 'replyto'

/** The code of the error that a request failed with. */
export const replyCodeHeader = 'replycode'

/** The error's message, without its code: at most 1,024 characters. */
export const replyMessageHeader = 'replymessage'

/** The error's issues, as a JSON array of objects with `path` and `message`; absent where there are none, or no room. */
export const replyIssuesHeader = 'replyissues'

/** What `type` a reply to a command has. */
export function replyType(command: string): string {
  return `${command}.reply`
}

/** What names of channels begin with in which replies are awaited. */
export const replyChannelPrefix = 'posthaste.reply.'

/** Where one process awaits replies: a channel that its application has, and a group of it that this process alone reads. */
export interface ReplyPlace {
  readonly channel: string
  readonly group: string
}

const replyChannelPattern = /^posthaste\.reply\.[A-Za-z0-9._-]{1,200}$/
const replyToPattern = /^(posthaste\.reply\.[A-Za-z0-9._-]{1,200})\/([A-Za-z0-9._-]{1,64})$/

/** Whether replies are awaited in a channel. */
export function isReplyChannel(channel: string): boolean {
  return replyChannelPattern.test(channel)
}

/** A place as `replyto` names it. */
export function replyToText({ channel, group }: ReplyPlace): string {
  return `${channel}/${group}`
}

/**
 * The place that `replyto` names; undefined where it names none: a message from elsewhere must not have its handler's
 * answer put among other messages.
 */
export function replyPlaceOf(text: string | undefined): ReplyPlace | undefined {
  const [, channel, group] = replyToPattern.exec(text ?? '') ?? []
  return channel === undefined || group === undefined ? undefined : { channel, group }
}
