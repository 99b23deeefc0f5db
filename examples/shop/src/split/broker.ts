import process from 'node:process'
import { pathToFileURL } from 'node:url'

/**
 * The broker's own program, named by the first argument, run in this process; and ended in order where whoever started it
 * is gone, since a broker that nobody looks after would keep the data from the next one.
 */
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
await import(pathToFileURL(process.argv[2]!).href)
