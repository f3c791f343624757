/** What a process says: what came of its last task, or of opening. */
export type FromMember<Answer> = { answer: Answer } | { failure: string };

export interface Opened<Task, Answer> {
  answer(task: Task): Promise<Answer>;
  close(): Promise<void>;
}

/** Runs one process of a crew, from its setup to the end of the process that has started it. */
export async function serve<Setup, Task, Answer>(
  open: (setup: Setup) => Promise<Opened<Task, Answer>>,
): Promise<void> {
  const say = (message: FromMember<Answer | undefined>): void => void process.send?.(message);
  const failed = (error: unknown): void =>
    say({ failure: (error as Error).stack ?? String(error) });
  let opened: Opened<Task, Answer> | undefined;
  process.once(
    'disconnect',
    () => void Promise.resolve(opened?.close()).finally(() => process.exit()),
  );
  try {
    opened = await open(JSON.parse(process.argv[2]!) as Setup);
  } catch (error) {
    return failed(error);
  }
  const { answer } = opened;
  process.on('message', (task) => {
    answer(task as Task).then((given) => say({ answer: given }), failed);
  });
  say({ answer: undefined });
}
