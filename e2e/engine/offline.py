"""A program that uses vLLM as a library: offline.py MODEL, run by the engine's own interpreter.

Prints one line of JSON: for each prompt, what it asked and what it got.
"""

import json
import sys
import time

SERVED_NAME = "tiny"
CONTEXT = 2048
PROMPTS = ["kato miren solver", "the render of conder", "estpro lyment tion in that", "you and it to a solka"]


def main() -> None:
    from vllm import LLM, SamplingParams

    llm = LLM(model=sys.argv[1], served_model_name=SERVED_NAME, max_model_len=CONTEXT, dtype="bfloat16")
    # A length of its own tells each of them in what the agent reports.
    asked = [SamplingParams(max_tokens=6 + 3 * index, ignore_eos=True, seed=index) for index in range(len(PROMPTS))]
    started = time.time_ns()
    outputs = llm.generate(PROMPTS, asked, use_tqdm=False)
    seconds = (time.time_ns() - started) / 1e9
    answers = [
        {
            "max_tokens": params.max_tokens,
            "seed": params.seed,
            "prompt_tokens": len(output.prompt_token_ids),
            "completion_tokens": len(output.outputs[0].token_ids),
            "finish_reason": output.outputs[0].finish_reason,
        }
        for params, output in zip(asked, outputs, strict=True)
    ]
    print(json.dumps({"started_unix_ns": started, "seconds": seconds, "answers": answers}), flush=True)


if __name__ == "__main__":
    main()
