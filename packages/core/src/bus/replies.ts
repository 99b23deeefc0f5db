/*
 * What a request and its reply say to each other, as CloudEvents extension attributes.
 *
 * The request carries `replyto` and expires (`expirytime`) when whoever asks has given up. The reply stands in the channel
 * that `replyto` names; its `type` is that of the command with `.reply` behind it, its `causationid` the id of the request
 * and its `correlationid` that of the request. Its id is derived from the request's, so that a repeated answer is
 * recognised. A reply with `replycode` tells of a failure and has no body; any other carries what the handler returned.
 */

/** Names the channel in which a request awaits its reply. */
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

/** What names of channels begin with in which replies are awaited: a message sends its reply nowhere else. */
export const replyChannelPrefix = 'posthaste.reply.'

const replyChannelPattern = /^posthaste\.reply\.[A-Za-z0-9._-]{1,200}$/

/** Whether a reply may go there: a message from elsewhere must not have its handler's answer put among other messages. */
export function isReplyChannel(name: string | undefined): name is string {
  return name !== undefined && replyChannelPattern.test(name)
}
