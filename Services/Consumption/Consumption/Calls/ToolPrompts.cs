namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// The most tokens that a provider adds to the input for tools, besides what the caller says of them. Anthropic tells its figures for each model
/// (https://platform.claude.com/docs/en/about-claude/pricing#tool-use-pricing); the largest is taken, for all providers: others tell none, and add less. OpenAI's tokens are counted where a
/// limit is near (<see cref="Counting.CountInput"/>).
/// <code>
/// any tool             804   the prompt by which tools are used: 804 for Claude Opus 4.7, 290 to 589 for others
/// bash_*               325
/// text_editor_*        700
/// computer_20…       1,234   735 for the tool and up to 499 for its prompt
/// computer_toolset_* 4,590
/// memory_*, tool_search_tool_*   not told: as a text editor
/// </code>
/// </summary>
internal static class ToolPrompts
{
    /// <summary>For tools at all, once.</summary>
    public const long OfAny = 804;

    private const long OfEditor = 700;

    private static readonly (string Family, long Tokens)[] Families =
    [
        ("bash_", 325), ("text_editor_", OfEditor), ("computer_toolset_", 4_590), ("computer_", 1_234), ("memory_", OfEditor), ("tool_search_tool_", OfEditor),
    ];

    /// <summary>For one tool, besides.</summary>
    public static long Of(string? type) => type is null ? 0 : Families.FirstOrDefault(known => type.StartsWith(known.Family, StringComparison.Ordinal)).Tokens;
}
