import process from 'node:process'
import { configOf, startBroker } from '@posthaste/broker-service'

/** Runs a broker with its data in the given directory, and prints where it is. It ends with its standard input. */
const [dataDir = ''] = process.argv.slice(2)
const silent = (): void => {}
const log = { debug: silent, info: silent, warn: silent, error: console.error }
const config = configOf(JSON.stringify({ dataDir, listen: ['link://127.0.0.1:0'], health: false }), {})
const broker = await startBroker(config, { log })
process.stdin.on('end', () => void broker.stop().then(() => process.exit(0))).resume()
process.stdout.write(`${broker.urls[0]}\n`)
