import process from 'node:process'
import { play, type Round } from './round.ts'

/** Plays one round and prints its figures. Whoever began this holds its standard input open. */
process.stdin.on('end', () => process.exit(1)).resume()
const cost = await play(JSON.parse(process.argv[2] ?? '') as Round)
process.stdout.write(JSON.stringify(cost), () => process.exit(0))
