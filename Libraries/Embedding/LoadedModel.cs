using System.Numerics.Tensors;
using Microsoft.ML.OnnxRuntime;

namespace LlmMarketplace.Embedding;

/// <summary>
/// The model in memory: once in a process, whoever uses it, for it costs more than a hundred megabytes.
/// Leases are counted; the last to go frees it.
/// </summary>
internal sealed class LoadedModel : IDisposable
{
    public const int Dimensions = 384;

    private static readonly string[] InputNames = ["input_ids", "attention_mask", "token_type_ids"];
    private static readonly string[] OutputNames = ["last_hidden_state"];
    private static readonly Lock Sharing = new();
    private static readonly Dictionary<string, LoadedModel> Shared = [];

    private readonly string directory;
    private readonly InferenceSession session;
    private int leases;

    private LoadedModel(string directory, int parallelism)
    {
        this.directory = directory;
        WordPieces = new WordPieces(new MemoryStream(ModelFiles.ReadVocabulary(directory), writable: false));
        Gate = new SemaphoreSlim(parallelism > 0 ? parallelism : Math.Max(1, Environment.ProcessorCount / 2));
        using var options = new SessionOptions
        {
            // Batches run beside each other, each on one thread: no pool that spins while it waits.
            IntraOpNumThreads = 1,
            InterOpNumThreads = 1,
            // The arena never gives back what the largest batch needed once.
            EnableCpuMemArena = false,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
        };
        session = new InferenceSession(ModelFiles.ReadModel(directory), options);
    }

    public WordPieces WordPieces { get; }

    /// <summary>How many batches may run at the same time.</summary>
    public SemaphoreSlim Gate { get; }

    public static LoadedModel Lease(EmbeddingOptions options)
    {
        var directory = Path.GetFullPath(options.Directory);
        lock (Sharing)
        {
            if (!Shared.TryGetValue(directory, out var model))
            {
                Shared[directory] = model = new LoadedModel(directory, options.Parallelism);
            }

            model.leases++;
            return model;
        }
    }

    /// <summary>Another lease, for the time of a call: whoever disposes meanwhile does not free what is running.</summary>
    public LoadedModel Again()
    {
        lock (Sharing)
        {
            ObjectDisposedException.ThrowIf(leases == 0, typeof(SentenceEmbedder));
            leases++;
            return this;
        }
    }

    /// <summary>Gives one lease back.</summary>
    public void Dispose()
    {
        lock (Sharing)
        {
            if (--leases > 0)
            {
                return;
            }

            Shared.Remove(directory);
        }

        session.Dispose();
        Gate.Dispose();
    }

    /// <summary>Runs one batch on the calling thread and returns the pooled, normalised vectors in the batch's order.</summary>
    public float[][] Run(ReadOnlySpan<int[]> batch, CancellationToken cancellationToken)
    {
        var length = 0;
        foreach (var ids in batch)
        {
            length = Math.Max(length, ids.Length);
        }

        var inputIds = new long[batch.Length * length];
        var mask = new long[inputIds.Length];
        for (var row = 0; row < batch.Length; row++)
        {
            for (var i = 0; i < batch[row].Length; i++)
            {
                inputIds[(row * length) + i] = batch[row][i];
                mask[(row * length) + i] = 1;
            }
        }

        long[] shape = [batch.Length, length];
        using var idsValue = OrtValue.CreateTensorValueFromMemory(inputIds, shape);
        using var maskValue = OrtValue.CreateTensorValueFromMemory(mask, shape);
        using var typesValue = OrtValue.CreateTensorValueFromMemory(new long[inputIds.Length], shape);
        using var run = new RunOptions();
        cancellationToken.ThrowIfCancellationRequested();
        // Disposing the registration waits for a callback under way, so `run` outlives its use.
        using var stop = cancellationToken.Register(static state => ((RunOptions)state!).Terminate = true, run);
        try
        {
            using var outputs = session.Run(run, InputNames, [idsValue, maskValue, typesValue], OutputNames);
            return Pool(outputs[0].GetTensorDataAsSpan<float>(), batch, length);
        }
        catch (OnnxRuntimeException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
    }

    /// <summary>The mean over the positions that hold a token (padding left out), brought to length 1.</summary>
    private static float[][] Pool(ReadOnlySpan<float> hidden, ReadOnlySpan<int[]> batch, int length)
    {
        var vectors = new float[batch.Length][];
        for (var row = 0; row < batch.Length; row++)
        {
            var vector = new float[Dimensions];
            for (var i = 0; i < batch[row].Length; i++)
            {
                TensorPrimitives.Add(vector, hidden.Slice(((row * length) + i) * Dimensions, Dimensions), vector);
            }

            // The mean and the norm divide by numbers that cancel: normalising the sum normalises the mean.
            TensorPrimitives.Divide(vector, TensorPrimitives.Norm<float>(vector), vector);
            vectors[row] = vector;
        }

        return vectors;
    }
}
