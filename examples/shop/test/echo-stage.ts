import { runStage } from '../src/show/stage/stage.ts'

/** A stage that repeats what it is told; for tests. */
await runStage(async ({ isBroken }: { readonly isBroken: boolean }) => {
  if (isBroken) process.exit(3)
  return {
    url: 'http://127.0.0.1:1',
    commands: {
      echo: (input: unknown) => input,
      fail: () => {
        throw new Error('not this')
      },
      die: () => process.exit(4),
    },
    close: async () => undefined,
  }
})
