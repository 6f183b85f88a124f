using System.ComponentModel.DataAnnotations;

namespace LlmMarketplace.LocalProvider;

/// <summary>What the operator of this provider decides (section <c>LocalProvider</c>).</summary>
public sealed class LocalProviderOptions
{
    /// <summary>The key that callers present as bearer token. There is one, for the marketplace is the only caller.</summary>
    [Required(ErrorMessage = "LocalProvider:ApiKey is missing. Set LocalProvider__ApiKey to the key that callers must present, for instance the output of `openssl rand -hex 32`.")]
    [MinLength(16, ErrorMessage = "LocalProvider:ApiKey is shorter than 16 characters and could be guessed. Set LocalProvider__ApiKey to the output of `openssl rand -hex 32`.")]
    public string ApiKey { get; set; } = "";

    /// <summary>Texts that one request may carry.</summary>
    [Range(1, 2_048, ErrorMessage = "LocalProvider:MaximumInputs must be between 1 and 2048.")]
    public int MaximumInputs { get; set; } = 256;

    /// <summary>Bytes that one request may have.</summary>
    [Range(1_024, 64 * 1024 * 1024, ErrorMessage = "LocalProvider:MaximumBytes must be between 1024 and 67108864.")]
    public int MaximumBytes { get; set; } = 1024 * 1024;

    /// <summary>Requests that are worked on at the same time; as many again wait, and what comes on top is told to come back later.</summary>
    [Range(1, 10_000, ErrorMessage = "LocalProvider:MaximumConcurrency must be between 1 and 10000.")]
    public int MaximumConcurrency { get; set; } = 512;
}
