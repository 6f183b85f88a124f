using LlmMarketplace.Embedding;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the embedding model.</summary>
public static class EmbeddingRegistration
{
    /// <summary>
    /// Registers one <see cref="SentenceEmbedder"/>, configured by the section <c>Embedding</c>. The model is loaded when it is first asked for;
    /// a service that must not start without it asks for it at start.
    /// </summary>
    public static IServiceCollection AddSentenceEmbedder(this IServiceCollection services)
    {
        services.AddOptions<EmbeddingOptions>().BindConfiguration("Embedding").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<SentenceEmbedder>();
        return services;
    }
}
