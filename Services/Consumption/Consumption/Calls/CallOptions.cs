using System.ComponentModel.DataAnnotations;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>Section <c>Calls</c>: bounds that keep one caller or provider from taking the process's memory.</summary>
internal sealed class CallOptions
{
    /// <summary>Bytes of a request.</summary>
    [Range(1_024, 1_000_000_000, ErrorMessage = "Calls:MaxRequestBytes must lie between 1024 and 1000000000.")]
    public int MaxRequestBytes { get; set; } = 10 * 1024 * 1024;

    /// <summary>Bytes of a form with a file of audio in it: OpenAI's 25 MB, and some room for its other fields.</summary>
    [Range(1_024, 1_000_000_000, ErrorMessage = "Calls:MaxAudioBytes must lie between 1024 and 1000000000.")]
    public int MaxAudioBytes { get; set; } = 26 * 1024 * 1024;

    /// <summary>Nesting of a request.</summary>
    [Range(8, 1_000, ErrorMessage = "Calls:MaxDepth must lie between 8 and 1000.")]
    public int MaxDepth { get; set; } = 64;

    /// <summary>Bytes of an answer that is not streamed.</summary>
    [Range(1_024, 1_000_000_000, ErrorMessage = "Calls:MaxAnswerBytes must lie between 1024 and 1000000000.")]
    public int MaxAnswerBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>Bytes of one event of a stream.</summary>
    [Range(1_024, 100_000_000, ErrorMessage = "Calls:MaxEventBytes must lie between 1024 and 100000000.")]
    public int MaxEventBytes { get; set; } = 1024 * 1024;

    /// <summary>Output tokens reserved, and asked of the provider, when neither caller nor listing says how many there may be.</summary>
    [Range(1, 10_000_000, ErrorMessage = "Calls:DefaultMaxOutputTokens must lie between 1 and 10000000.")]
    public int DefaultMaxOutputTokens { get; set; } = 4_096;

    /// <summary>Bytes of a request whose tokens are counted when its bytes are more than a limit has left. Larger ones are reserved by their bytes alone, for counting takes a millisecond for 1 to 4 KB.</summary>
    [Range(0, 10_000_000, ErrorMessage = "Calls:MaxCountedBytes must lie between 0 and 10000000.")]
    public int MaxCountedBytes { get; set; } = 256 * 1024;

    /// <summary>Searches of the web reserved for a call that lets the provider search and does not say how often.</summary>
    [Range(1, 1_000, ErrorMessage = "Calls:DefaultMaxWebSearches must lie between 1 and 1000.")]
    public int DefaultMaxWebSearches { get; set; } = 10;

    /// <summary>How long stored responses can be asked for: as long as OpenAI keeps them.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3650.00:00:00", ErrorMessage = "Calls:KeepResponses must lie between 00:01:00 and 3650.00:00:00.")]
    public TimeSpan KeepResponses { get; set; } = TimeSpan.FromDays(30);

    /// <summary>Longest time to a connection to a provider, unless its listing says otherwise.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:01:00", ErrorMessage = "Calls:ConnectTimeout must lie between 00:00:00.100 and 00:01:00.")]
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Longest time of a whole stream, unless its listing says otherwise.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00", ErrorMessage = "Calls:LongestStream must lie between 00:00:01 and 1.00:00:00.")]
    public TimeSpan LongestStream { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How long an instance that is asked to stop goes on taking calls after it said that it is not ready, so that whoever spreads calls takes notice.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00", ErrorMessage = "Calls:StopNotice must lie between 00:00:00 and 00:10:00.")]
    public TimeSpan StopNotice { get; set; }

    /// <summary>How long calls run on after that in an instance that stops, before they are ended. With <see cref="StopNotice"/> and 5 seconds more it must fit into the time after which the process is killed: 30 seconds, unless Kubernetes is told otherwise.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00", ErrorMessage = "Calls:DrainFor must lie between 00:00:00 and 01:00:00.")]
    public TimeSpan DrainFor { get; set; } = TimeSpan.FromSeconds(20);
}
