using LlmMarketplace.Consumption.Invoking;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>What we need to know of a body, and where in it what may have to be written anew stands. The body itself stays as it came.</summary>
internal sealed class CallRequest
{
    public required string Model { get; init; }

    public required Slice ModelValue { get; init; }

    /// <summary>Models to call when the first one fails, in this order.</summary>
    public IReadOnlyList<string> Fallbacks { get; init; } = [];

    /// <summary>Where they stand, from the member's name to the end of its value; null when there are none.</summary>
    public Slice? FallbackMember { get; init; }

    /// <summary>Whether the caller wants a stream.</summary>
    public bool Stream { get; init; }

    /// <summary>Whether the caller asked for the stream's usage chunk.</summary>
    public bool WantsUsage { get; init; }

    /// <summary>Where <c>stream_options</c> has its value; null when it is not there.</summary>
    public Slice? StreamOptions { get; init; }

    /// <summary>Whether that value is an object.</summary>
    public bool StreamOptionsIsObject { get; init; }

    /// <summary>Whether that object has no member.</summary>
    public bool StreamOptionsIsEmpty { get; init; }

    /// <summary>Where <c>include_usage</c> has its value; null when it is not there.</summary>
    public Slice? IncludeUsage { get; init; }

    /// <summary>The largest output that the caller allows; null when it does not say.</summary>
    public long? MaxOutputTokens { get; init; }

    /// <summary>Where maxima of null stand, which say nothing: each member's name and place.</summary>
    public IReadOnlyList<(string Field, Slice Member)> NullMaxima { get; init; } = [];

    /// <summary>Prompts of a completion, which are answered each by itself; of all else one.</summary>
    public long Prompts { get; init; } = 1;

    /// <summary>Answers asked for, to all prompts together.</summary>
    public long Choices { get; init; } = 1;

    /// <summary>Whether images, audio, files or texts that the provider fetches are among the input: the body's bytes bound nothing.</summary>
    public bool HasMedia { get; init; }

    /// <summary>Whether the provider itself gives texts of the web to the model.</summary>
    public bool ReadsWeb { get; init; }

    /// <summary>Tokens that a provider may add to the input because of the tools in it: <see cref="ToolPrompts"/>.</summary>
    public long ToolTokens { get; init; }

    /// <summary>Whether audio is among the input or asked for.</summary>
    public bool HasAudio { get; init; }

    /// <summary>Whether the provider is asked to search the web by itself.</summary>
    public bool SearchesWeb { get; init; }

    /// <summary>Whether it does so in any case: Chat's <c>web_search_options</c>, of which usage tells nothing.</summary>
    public bool AlwaysSearches { get; init; }

    /// <summary>How often at most; null when the caller does not say.</summary>
    public int? MaxWebSearches { get; init; }

    /// <summary>Bytes of text in the input: a quarter of it is the least it can be in tokens when nobody tells us.</summary>
    public long TextBytes { get; init; }

    /// <summary>Whom the call is made for, as the body says, and in which member; null when it does not say.</summary>
    public (string? Id, string Field) EndUser { get; init; }

    /// <summary>Whether the provider is to store the response.</summary>
    public bool Store { get; init; } = true;

    /// <summary>The stored response that this one goes on from; null: it begins anew.</summary>
    public string? PreviousResponseId { get; init; }

    /// <summary>The form's media type with its boundary, word for word; null: the body is JSON.</summary>
    public string? FormType { get; init; }

    /// <summary>The form's parts, each with its headers: what a repeat of it has too, whose boundary is another one.</summary>
    public IReadOnlyList<(string Head, Slice Value)> FormParts { get; init; } = [];

    /// <summary>The file in a form.</summary>
    public Slice? File { get; init; }

    /// <summary>Whether the caller wants a transcript as plain text or subtitles, not as JSON.</summary>
    public bool WantsText { get; init; }

    /// <summary>Characters to speak.</summary>
    public long Characters { get; init; }

    /// <summary>What is called of a <c>rest</c> service; null: the call is one of <c>/v1</c>.</summary>
    public Invocation? Invocation { get; init; }

    /// <summary>Where the outermost object begins.</summary>
    public int ObjectStart { get; init; }
}

/// <summary>A part of the body.</summary>
internal readonly record struct Slice(int Start, int Length)
{
    public int End => Start + Length;
}
