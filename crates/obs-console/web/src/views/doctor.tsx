import type { Check, Doctor } from "../api";
import { duration, fieldText } from "../format";
import { Answer } from "../parts/answer";
import { CopyButton } from "../parts/copy";
import { Empty } from "../parts/empty";
import { FieldList } from "../parts/field-list";
import { Status } from "../parts/status";
import { Time } from "../parts/time";
import { Refusal, useWrite } from "../parts/write";
import { usePoll } from "../poll";

export function DoctorView() {
  const polled = usePoll<Doctor>("doctor", 15_000);
  const writing = useWrite(polled.reload);
  const run = () => writing.send("POST", "doctor/run");
  return (
    <section>
      <h1>Doctor</h1>
      <p class="links">
        <button type="button" disabled={writing.isRunning} onClick={() => void run()}>
          {writing.isRunning ? "Running …" : "Run the checks"}
        </button>{" "}
        {polled.value && <CopyButton key={polled.value.ran_at} label="Copy as text" text={() => asText(polled.value!)} />}
      </p>
      <Refusal of={writing} />
      <Answer of={polled}>
        {(doctor) =>
          doctor.checks.length === 0 ? (
            <Empty>The checks have not run yet. They run by themselves some time after the start, and with the button above.</Empty>
          ) : (
            <>
              <p>
                {doctor.summary.pass} passed, {doctor.summary.warn} warned, {doctor.summary.fail} failed, {doctor.summary.skip} skipped
                {doctor.summary.error > 0 && `, ${doctor.summary.error} could not run`}
                {doctor.ran_at && (
                  <>
                    , <Time at={doctor.ran_at} form="ago" />
                  </>
                )}
              </p>
              {[...new Set(doctor.checks.map((check) => check.category))].map((category) => (
                <div key={category}>
                  <h2>{category}</h2>
                  <ul class="checks">
                    {doctor.checks
                      .filter((check) => check.category === category)
                      .map((check) => (
                        <CheckItem key={check.name} check={check} />
                      ))}
                  </ul>
                </div>
              ))}
            </>
          )
        }
      </Answer>
    </section>
  );
}

function CheckItem({ check }: { check: Check }) {
  return (
    <li>
      <details>
        <summary>
          <Status status={check.status} /> <code>{check.name}</code> <bdi>{check.detail || check.skip_reason}</bdi>
        </summary>
        <p class="soft">
          Took {duration(check.duration_ms)}
          {check.caused_by && `. Caused by ${check.caused_by}`}
        </p>
        <FieldList fields={check.evidence} />
      </details>
      {check.fix && (
        <p class="fix">
          → fix: <bdi>{check.fix}</bdi>
        </p>
      )}
    </li>
  );
}

function asText(doctor: Doctor): string {
  const lines = doctor.checks.flatMap((check) => [
    `${check.status.padEnd(5)} ${check.name}  ${fieldText(check.detail || check.skip_reason || "")}`,
    ...(check.fix ? [`      → fix: ${check.fix}`] : []),
  ]);
  return `${lines.join("\n")}\n`;
}
