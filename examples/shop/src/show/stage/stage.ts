import process from 'node:process'

/** What a story asks of a stage while it runs, by name. */
export type Commands = Readonly<Record<string, (input: never) => unknown>>

/** A part of a story that runs in a process of its own, so that what calls it is not slowed by it. */
export interface Stage {
  /** Where its API is found. */
  readonly url: string
  readonly commands: Commands
  close(): Promise<void>
}

/** What a stage is told. */
export interface Order {
  readonly no: number
  readonly command: string
  readonly input: unknown
}

/** What a stage tells: first that it is open, then an answer to each order. */
export type News =
  | { readonly kind: 'open'; readonly url: string }
  | { readonly kind: 'done'; readonly no: number; readonly result: unknown }
  | { readonly kind: 'failed'; readonly no: number; readonly reason: string }

/**
 * The whole of a stage's program: opens it with the options it was started with, does as it is told, and closes when
 * whoever started it says so or is gone.
 */
export async function runStage<Options>(open: (options: Options) => Promise<Stage>): Promise<void> {
  const stage = await open(JSON.parse(process.argv[2] ?? '{}') as Options)
  process.on('message', (order: Order) => void obey(stage, order).then(tell))
  process.once('disconnect', () => {
    stage.close().catch((error) => {
      process.stderr.write(`${String(error)}\n`)
      process.exitCode = 1
    })
  })
  // Ctrl-C in a terminal reaches the whole group; the starter closes the stage.
  process.on('SIGINT', () => undefined)
  tell({ kind: 'open', url: stage.url })
}

async function obey({ commands }: Stage, { no, command, input }: Order): Promise<News> {
  try {
    const obeyed = commands[command]
    if (obeyed === undefined) throw new Error(`the stage knows no command '${command}'`)
    return { kind: 'done', no, result: await obeyed(input as never) }
  } catch (error) {
    return { kind: 'failed', no, reason: String(error) }
  }
}

function tell(news: News): void {
  if (process.connected) process.send?.(news)
}
