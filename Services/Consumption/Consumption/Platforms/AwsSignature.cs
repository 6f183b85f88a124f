using Amazon;
using Amazon.Runtime;
using Amazon.Runtime.Endpoints;
using Amazon.Runtime.Internal;
using Amazon.Runtime.Internal.Auth;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Consumption.Platforms;

/// <summary>AWS Signature Version 4 (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html), computed by Amazon's own library over the method, the path, the body and the headers that matter.</summary>
internal sealed class AwsSignature(TimeProvider time)
{
    private const string Service = "bedrock";
    private static readonly Settings NoSettings = new();

    private readonly AWS4Signer signer = new();

    /// <summary>Signs a request.</summary>
    /// <param name="request">The request; its body is read.</param>
    /// <param name="secret">An <see cref="AwsAccessKey"/>.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<Proof> ProveAsync(HttpRequestMessage request, string secret, CancellationToken cancellationToken)
    {
        if (AwsAccessKey.Parse(secret, out var problem) is not { } key)
        {
            return new Proof(AttemptFailure.Credential, $"The provider's credential is no access key of AWS. {problem}");
        }

        var address = request.RequestUri!;
        if (key.RegionOf(address) is not { } region)
        {
            return new Proof(AttemptFailure.Credential, "Neither the provider's address nor its credential names the region to sign for.");
        }

        var signed = new DefaultRequest(new Nameless(), Service)
        {
            HttpMethod = request.Method.Method,
            Endpoint = new Uri(address.GetLeftPart(UriPartial.Authority)),
            Content = await request.Content!.ReadAsByteArrayAsync(cancellationToken),
            AuthenticationRegion = region,
            DeterminedSigningRegion = region,
            OverrideSigningServiceName = Service,
        };
        SetPath(signed, address);
        signed.Headers["content-type"] = request.Content.Headers.ContentType!.ToString();
        if (key.SessionToken is { } token)
        {
            signed.Headers["x-amz-security-token"] = token;
        }

        var result = signer.SignRequest(signed, NoSettings, null, key.AccessKeyId, key.SecretAccessKey, time.GetUtcNow().UtcDateTime);
        foreach (var (name, value) in signed.Headers.Where(header => header.Key.StartsWith("x-amz-", StringComparison.OrdinalIgnoreCase)))
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        request.Headers.TryAddWithoutValidation("authorization", result.ForAuthorizationHeader);
        return Proof.Given;
    }

    /// <summary>Tells the path segment by segment, as it is before any escaping: the library escapes each twice, as all services but S3 want it, and ids of models hold colons and slashes.</summary>
    private static void SetPath(DefaultRequest signed, Uri address)
    {
        var segments = address.AbsolutePath.TrimStart('/').Split('/');
        foreach (var (index, segment) in segments.Index())
        {
            signed.AddPathResource($"{{s{index}}}", Uri.UnescapeDataString(segment));
        }

        signed.ResourcePath = "/" + string.Join('/', segments.Select((_, index) => $"{{s{index}}}"));
    }

    private sealed class Nameless : AmazonWebServiceRequest;

    /// <summary>The library wants settings of a client, though every one that matters is said with the request.</summary>
    private sealed class Settings() : ClientConfig(new NoDefaults())
    {
        public override string ServiceVersion => "";

        public override string UserAgent => "";

        public override string RegionEndpointServiceName => Service;

        public override Endpoint DetermineServiceOperationEndpoint(ServiceOperationEndpointParameters parameters) => throw new NotSupportedException();
    }

    private sealed class NoDefaults : IDefaultConfigurationProvider
    {
        public IDefaultConfiguration GetDefaultConfiguration(RegionEndpoint clientRegion, DefaultConfigurationMode? requestedConfigurationMode) => throw new NotSupportedException();
    }
}
