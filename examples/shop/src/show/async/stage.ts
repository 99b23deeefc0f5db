import { join } from 'node:path'
import { embedded } from '@posthaste/embedded'
import { http } from '@posthaste/http'
import { consoleLog, posthaste } from 'posthaste'
import { Store } from '../../store/store.ts'
import { pause } from '../load/volley.ts'
import { runStage, type Stage } from '../stage/stage.ts'
import { Entrance, LoggedIn } from './contracts.ts'
import { logs, mails, openSession, sendMail, sessions, writeLog } from './post-office.ts'

/** What the stage is started with. */
export interface AsyncStage {
  readonly dir: string
  /** Whether mail and log are published, and not waited for. */
  readonly published: boolean
}

/** What was done for the logins. */
export interface Done {
  readonly sessions: number
  readonly mails: number
  readonly logs: number
}

const lookMs = 20
const enough = { concurrency: 64 } as const

await runStage(async ({ dir, published }: AsyncStage): Promise<Stage> => {
  const store = new Store(join(dir, 'state'))
  const app = posthaste({
    name: 'entrance',
    engine: embedded({ dir: join(dir, 'engine') }),
    transports: [http({ port: 0 })],
    signals: false,
    log: consoleLog({ level: 'warn' }),
  })
  app.serve(Entrance, {
    async logIn(visit, context) {
      const session = await openSession(store, visit)
      if (published) await context.publish(LoggedIn, visit)
      else {
        await sendMail(store, visit)
        await writeLog(store, visit)
      }
      return { session }
    },
  })
  app.on(LoggedIn, { group: 'mail', ...enough }, (visit) => sendMail(store, visit))
  app.on(LoggedIn, { group: 'log', ...enough }, (visit) => writeLog(store, visit))
  await app.start()

  const done = (): Done => {
    const [opened, sent, written] = [sessions, mails, logs].map((rows) => [...store.list(rows)].length)
    return { sessions: opened!, mails: sent!, logs: written! }
  }
  return {
    url: app.urls[0]!,
    commands: {
      /** Waits until there is a mail and a line for every login. */
      finish: async (): Promise<Done> => {
        for (let now = done(); ; now = done()) {
          if (now.mails === now.sessions && now.logs === now.sessions) return now
          await pause(lookMs)
        }
      },
    },
    async close() {
      await app.close()
      await store.close()
    },
  }
})
