import type { App, CommandContract, HandlerOptions, MessageHandler } from 'posthaste'

/** What the services of the shop are put up in. */
export interface ServiceHost extends Pick<App, 'on' | 'serve' | 'client'> {
  handle<C extends CommandContract>(command: C, handler: MessageHandler<C>): void
}

/**
 * Nothing that happens in the shop is given up because something was out of order for minutes. Only what somebody outside
 * has a say in, the payments, has a shorter way to the dead letters.
 */
const patiently: HandlerOptions = { retry: { immediate: 2, delayed: 50, baseMs: 200, maxMs: 5_000 } }

/**
 * Puts services up with what all of them share: patience, and trouble where it is asked for. Trouble stands right behind
 * every client and in front of every handler of a message.
 */
export function serviceHost(app: App, trouble: Pick<HandlerOptions, 'chaos'> = {}): ServiceHost {
  return {
    client: (service, options) => app.client(service, { ...options, ...trouble }),
    serve: (service, handlers, options) => app.serve(service, handlers, options),
    on: (event, options, handler) => app.on(event, { ...patiently, ...options, ...trouble }, handler),
    handle: (command, handler) => app.handle(command, { ...patiently, ...trouble }, handler),
  }
}
