using System.ComponentModel.DataAnnotations;
using System.Net;

namespace LlmMarketplace.Gateway;

/// <summary>What an operator may set: section <c>Gateway</c>.</summary>
internal sealed class GatewayOptions : IValidatableObject
{
    /// <summary>Largest request body in bytes.</summary>
    [Range(1_024, 1_073_741_824, ErrorMessage = "Gateway:MaxRequestBytes must be between 1024 and 1073741824.")]
    public long MaxRequestBytes { get; set; } = 10 * 1024 * 1024;

    /// <summary>The same below <c>/v1/audio</c>, where files are sent.</summary>
    [Range(1_024, 1_073_741_824, ErrorMessage = "Gateway:MaxAudioBytes must be between 1024 and 1073741824.")]
    public long MaxAudioBytes { get; set; } = 26 * 1024 * 1024;

    /// <summary>Most header fields of one request.</summary>
    [Range(16, 1_000, ErrorMessage = "Gateway:MaxHeaderCount must be between 16 and 1000.")]
    public int MaxHeaderCount { get; set; } = 64;

    /// <summary>Most bytes of all header fields of one request.</summary>
    [Range(4_096, 262_144, ErrorMessage = "Gateway:MaxHeaderBytes must be between 4096 and 262144.")]
    public int MaxHeaderBytes { get; set; } = 32 * 1024;

    /// <summary>How long a client may take to send its header.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00", ErrorMessage = "Gateway:HeaderTimeout must be between 00:00:01 and 00:05:00.")]
    public TimeSpan HeaderTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a service may be silent before its call is given up with 504.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "01:00:00", ErrorMessage = "Gateway:ServiceTimeout must be between 00:00:00.1 and 01:00:00.")]
    public TimeSpan ServiceTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a stream of events (<c>Accept: text/event-stream</c>) may be silent before it is closed.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00", ErrorMessage = "Gateway:StreamTimeout must be between 00:00:01 and 1.00:00:00.")]
    public TimeSpan StreamTimeout { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Origins whose pages may call the API from a browser, for instance <c>https://portal.example.com</c>; none unless set.</summary>
    public string[] CorsOrigins { get; set; } = [];

    /// <summary>Networks of load balancers whose <c>X-Forwarded-For</c> and <c>X-Forwarded-Proto</c> are believed, for instance <c>10.0.0.0/8</c>; none unless set.</summary>
    public string[] TrustedProxies { get; set; } = [];

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var network in TrustedProxies.Where(network => !IPNetwork.TryParse(network, out _)))
        {
            yield return new ValidationResult($"Gateway:TrustedProxies holds '{network}', which is no network: write it as 10.0.0.0/8.");
        }

        foreach (var origin in CorsOrigins.Where(origin => !Uri.TryCreate(origin, UriKind.Absolute, out var uri) || uri.GetLeftPart(UriPartial.Authority) != origin))
        {
            yield return new ValidationResult($"Gateway:CorsOrigins holds '{origin}', which is no origin: write scheme, host and port only, as https://portal.example.com.");
        }
    }
}
