using System.Security.Cryptography;
using Aspire.Hosting.Publishing;

namespace LlmMarketplace.AppHost;

/// <summary>
/// What an operator decides. `Parameters:{name}` sets a value; without it a run generates secrets once and keeps them in the user secrets, because the data volumes outlive
/// the run and cannot be read without them.
/// </summary>
internal static class Parameters
{
    /// <summary>A value that is no secret.</summary>
    public static IResourceBuilder<ParameterResource> AddSetting(this IDistributedApplicationBuilder builder, string name, string value) =>
        builder.AddParameter(name, () => builder.Configuration[$"Parameters:{name}"] ?? value, publishValueAsDefault: true);

    /// <summary>A secret that only programs use: letters and digits.</summary>
    public static IResourceBuilder<ParameterResource> AddSecret(this IDistributedApplicationBuilder builder, string name) =>
        builder.AddParameter(name, new GenerateParameterDefault { MinLength = 32, Special = false }, secret: true, persist: true);

    /// <summary>A secret that a person types: satisfies the rules of the sign-in.</summary>
    public static IResourceBuilder<ParameterResource> AddPassword(this IDistributedApplicationBuilder builder, string name) =>
        builder.AddParameter(name, new GenerateParameterDefault { MinLength = 22, MinLower = 1, MinUpper = 1, MinNumeric = 1, MinSpecial = 1 }, secret: true, persist: true);

    /// <summary>An AES-256 or HMAC key: 32 bytes in base64. The manifest has no word for "32 random bytes", so a deployment has to bring it.</summary>
    public static IResourceBuilder<ParameterResource> AddKey(this IDistributedApplicationBuilder builder, string name) =>
        builder.ExecutionContext.IsPublishMode
            ? builder.AddParameter(name, secret: true)
            : builder.AddParameter(name, new RandomKey(), secret: true, persist: true);

    /// <summary>The address that people and tokens know, with a trailing slash: the gateway's own on a developer's machine; only the operator knows a deployment's.</summary>
    public static ReferenceExpression AddPublicAddress(this IDistributedApplicationBuilder builder, string name, IResourceBuilder<ProjectResource> gateway) =>
        builder.ExecutionContext.IsPublishMode
            ? ReferenceExpression.Create($"{builder.AddParameter(name)}")
            : ReferenceExpression.Create($"{gateway.GetEndpoint("http")}/");

    private sealed class RandomKey : ParameterDefault
    {
        private const int Bytes = 32;

        public override string GetDefaultValue() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(Bytes));

        public override void WriteToManifest(ManifestPublishingContext context) =>
            throw new NotSupportedException("A manifest cannot say how to generate a key: publish it as a parameter without a default.");
    }
}
