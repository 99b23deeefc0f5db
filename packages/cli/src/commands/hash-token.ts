import { PosthasteError } from '@posthaste/contracts'
import { command } from '../command/command.ts'
import { flag } from '../command/options.ts'
import { inputOf, wholeOf } from './publish/input.ts'

/** `posthaste hash-token` */
export const hashToken = command({
  name: 'hash-token',
  about: 'Makes the line that the configuration of a broker has for a token',
  details: [
    'The token is one line of standard input. It is never taken from the command line, which shells keep and other users of the machine can read.',
    'What is printed goes to the user in the configuration, and does not give the token away; it is another one each time. Clients prove themselves with the token: --token, or POSTHASTE_TOKEN in the environment.',
  ],
  args: {},
  options: { json: flag('Answers in JSON') },
  examples: ['openssl rand -base64 32 | tee /dev/tty | posthaste hash-token', 'posthaste hash-token --json < token'],
  async run(_, __, { io, print }) {
    const token = tokenIn(await wholeOf(inputOf(undefined, io)))
    // The broker, which most commands are not, is loaded when there is a token.
    const service = await import('@posthaste/broker-service')
    const hash = service.hashToken(token)
    await print.answer({ json: { hash }, text: () => `"tokens": ["${hash}"]\n` })
  },
})

/** No message repeats it. */
function tokenIn(bytes: Uint8Array): string {
  const token = new TextDecoder().decode(bytes)
  if (token === '') throw refused('there is no token on standard input')
  if (/[\r\n]/.test(token)) throw refused('there is more than one line on standard input')
  if (token.includes('\ufffd')) throw refused('what is on standard input is no text in UTF-8')
  return token
}

function refused(message: string): PosthasteError {
  return new PosthasteError('INVALID_ARGUMENT', message, {
    remedy: 'Give the token as one line: posthaste hash-token < token.',
  })
}
