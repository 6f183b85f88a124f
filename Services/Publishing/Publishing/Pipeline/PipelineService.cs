using LlmMarketplace.Publishing.Pipeline.Steps;
using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.Publishing.Pipeline;

/// <summary>The steps of the pipeline, in their order, and what works them off.</summary>
internal static class PipelineService
{
    public static IServiceCollection AddPipeline(this IServiceCollection services) => services
        .AddScoped<IPipelineStep, AuthoriseStep>()
        .AddScoped<IPipelineStep, ValidateStep>()
        .AddScoped<IPipelineStep, StoreStep>()
        .AddScoped<IPipelineStep, ApprovalStep>()
        .AddScoped<IPipelineStep, PublishStep>()
        .AddSingleton<PipelineSignal>()
        .AddSingleton<PipelineTelemetry>()
        .AddSingleton<PipelineLeases>()
        .AddSingleton<PipelineEngine>()
        .AddHostedService<PipelineWorker>();
}
