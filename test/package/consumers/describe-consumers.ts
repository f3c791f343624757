import { beforeAll, describe, expect, it } from '@jest/globals';
import { sharedCluster } from '../../support/cluster.js';
import { Consumer, type COMPILERS, type Packages, type Program } from './consumer.js';
import { packedPackage, type PackedPackage } from './packed.js';

export interface Variant {
  readonly title: string;
  readonly packages: Packages;
  readonly programs: readonly Program[];
  readonly compilers: readonly (keyof typeof COMPILERS)[];
}

/** What an application without optional peers may use, which are not installed then. */
export const WITHOUT_OPTIONAL_PEERS = ['app', 'testing', 'migration'] as const;
export const ALL_PROGRAMS = [...WITHOUT_OPTIONAL_PEERS, 'integrations'] as const;

/** One file of tests for each version of Nest, so that two of them run at the same time. */
export function describeConsumers(variants: readonly Variant[]): void {
  let packed: PackedPackage;
  let environment: NodeJS.ProcessEnv;

  beforeAll(async () => {
    let nodes: readonly string[];
    [packed, nodes] = await Promise.all([packedPackage(), sharedCluster()]);
    environment = { TEST_CLUSTER_NODES: JSON.stringify(nodes) };
  });

  describe.each(variants)('K8 $title', ({ packages, programs, compilers }) => {
    let consumer: Consumer;
    beforeAll(async () => {
      consumer = await Consumer.install(packed, packages);
    });

    it(`moduleResolution ${compilers.join(', ')} → ${programs.join(', ')} compile`, async () => {
      await expect(consumer.compile(programs, compilers)).resolves.toBeUndefined();
    });

    it.each([
      ['ES modules', 'mjs'],
      ['CommonJS', 'cjs'],
    ])(`%s → ${programs.join(', ')} start, work, and end`, async (_, ending) => {
      const files = programs.map((program) => `${program}.${ending}`);
      await expect(consumer.run(files, environment)).resolves.toBeUndefined();
    });
  });
}
