/**
 * Sends the compiler's errors in the files that it is started with: a program of its own. `tsc` would check every file that
 * they import as well, which takes several times as long and is done elsewhere.
 */
import ts from 'typescript';

const [config, ...paths] = process.argv.slice(2) as [string, ...string[]];
const { options, errors } = ts.getParsedCommandLineOfConfigFile(config, undefined, {
  ...ts.sys,
  onUnRecoverableConfigFileDiagnostic: (problem) => {
    throw new Error(ts.flattenDiagnosticMessageText(problem.messageText, '\n'));
  },
})!;
const program = ts.createProgram({
  rootNames: paths,
  options,
  configFileParsingDiagnostics: errors,
});

const found = paths.flatMap((path) => {
  const file = program.getSourceFile(path)!;
  const problems = [
    ...program.getSyntacticDiagnostics(file),
    ...program.getSemanticDiagnostics(file),
  ];
  return problems.map(({ start, code, messageText }) => ({
    path,
    line: file.getLineAndCharacterOfPosition(start ?? 0).line + 1,
    problem: `TS${code}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
  }));
});
process.send!(found, undefined, undefined, () => process.disconnect());
