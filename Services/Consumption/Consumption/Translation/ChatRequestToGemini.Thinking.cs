using System.Text.Json;

namespace LlmMarketplace.Consumption.Translation;

internal sealed partial class ChatRequestToGemini
{
    private const int Dynamic = -1;

    /// <summary>
    /// How much it may think, and whether it shows it. A budget that is told counts more than an effort, which is read as Google itself reads it where it speaks Chat
    /// (https://ai.google.dev/gemini-api/docs/openai#thinking). <c>thinking</c> is Anthropic's, which others put into Chat.
    /// </summary>
    private void WriteThinkingConfig()
    {
        var budget = ThinkingBudget() ?? EffortBudget() ?? (thinking is null ? null : Dynamic);
        if (budget is null && !showsThoughts)
        {
            return;
        }

        Json.WriteStartObject("thinkingConfig");
        if (budget is { } tokens)
        {
            Json.WriteNumber("thinkingBudget", tokens);
        }

        if (showsThoughts)
        {
            Json.WriteBoolean("includeThoughts", true);
        }

        Json.WriteEndObject();
    }

    private long? ThinkingBudget()
    {
        if (thinking is not { } asked)
        {
            return null;
        }

        Others(asked, "thinking", "type", "budget_tokens", "display");
        showsThoughts = !(asked.TryGetProperty("display", out var display) && display.ValueKind == JsonValueKind.String && display.ValueEquals("omitted"));
        switch (Kind(asked, "thinking"))
        {
            case "adaptive":
                return null;
            case "enabled" when Required(asked, "budget_tokens", "thinking") is { } tokens:
                return Is(tokens, JsonValueKind.Number, "thinking.budget_tokens") && tokens.TryGetInt64(out var budget) ? budget : null;
            case "disabled":
                showsThoughts = false;
                return 0;
            default:
                Malformed("thinking.type", "`thinking.type` is `enabled`, `adaptive` or `disabled`.");
                return null;
        }
    }

    private long? EffortBudget()
    {
        if (effort is not { } asked)
        {
            return null;
        }

        long? budget = Text(asked, "reasoning_effort") switch
        {
            "none" => 0,
            "minimal" or "low" => 1_024,
            "medium" => 8_192,
            "high" => 24_576,
            _ => null,
        };
        if (budget is null)
        {
            Gap("reasoning_effort", "The provider has no such effort.");
        }

        return budget;
    }
}
