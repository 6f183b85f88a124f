using System.Runtime.InteropServices;
using System.Text.Json;

namespace LlmMarketplace.Consumption.Translation;

internal sealed partial class MessagesRequestToChat
{
    private const string Hint = "cache_control";
    private const string Failed = "Error: ";

    /// <summary>All members but the known ones and the hint of where to cache are gaps.</summary>
    private void OthersThanHints(JsonElement block, string path, params ReadOnlySpan<string> known)
    {
        foreach (var member in Members(block, path))
        {
            var at = $"{path}.{member.Name}";
            if (member.Name == Hint)
            {
                Is(member.Value, JsonValueKind.Object, at);
            }
            else if (!known.Contains(member.Name))
            {
                Gap(at);
            }
        }
    }

    /// <summary>A failed result's text, as it is escaped, behind the word that says so.</summary>
    private void WriteFailed(JsonElement text)
    {
        Json.WritePropertyName("content");
        Json.WriteRawValue([.. "\"Error: "u8, .. JsonMarshal.GetRawUtf8Value(text)[1..]], skipInputValidation: true);
    }
}
