using System.Text.Json;

namespace LlmMarketplace.Consumption.Translation;

internal sealed partial class ChatRequestToConverse
{
    /// <summary>
    /// Whether the model may be Claude, by its id. An ARN need not tell whose model it stands for (application inference profiles, prompt routers): then Bedrock judges, and its refusal names the field.
    /// </summary>
    private bool MayBeClaude => Options.Model is { } model
        && (model.Contains("anthropic.claude", StringComparison.Ordinal) || (model.StartsWith("arn:", StringComparison.Ordinal) && !model.AsSpan(model.LastIndexOf('/') + 1).Contains('.')));

    /// <summary>
    /// What Anthropic's models know and others do not, by Anthropic's names: Converse hands these members to the model as they stand. That it is not to think is said too: some think unless told
    /// otherwise. (https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html)
    /// </summary>
    private void WriteFieldsOfClaude()
    {
        if (ofClaude.Count == 0)
        {
            return;
        }

        Json.WriteStartObject("additionalModelRequestFields");
        foreach (var (name, value) in ofClaude)
        {
            Copy(name, value, name == "thinking" ? JsonValueKind.Object : JsonValueKind.Number, name);
        }

        Json.WriteEndObject();
    }
}
